"""The study's report: one self-contained HTML file in Indonesian and English."""

from nlp_study.report.page import write_report

__all__ = ["write_report"]
