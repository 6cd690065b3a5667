"""What a study owes the people it reads: forgetting them on request, and sharing without their names.

`forget(...)` removes a person or post wherever the study keeps them and remembers a keyed hash only; `open_forgotten(...)`
and `is_forgotten(...)` keep later imports and crawls from bringing them back; `pseudonymise(...)` and `export_study(...)`
share ids, labels and predictions. What may be shared, and why: docs/ethics.md.
"""

from __future__ import annotations

from nlp_study.privacy.export import ExportCounts, export_study, pseudonymise
from nlp_study.privacy.forget import ForgetCounts, forget
from nlp_study.privacy.forgotten import Forgotten, is_forgotten, open_forgotten
from nlp_study.privacy.keys import KEY_FILE, PrivacyError, open_key

__all__ = [
    "KEY_FILE",
    "ExportCounts",
    "ForgetCounts",
    "Forgotten",
    "PrivacyError",
    "export_study",
    "forget",
    "is_forgotten",
    "open_forgotten",
    "open_key",
    "pseudonymise",
]
