"""Two runs of a study side by side: settings, data, labels, model, predictions, topics, figures, versions."""
