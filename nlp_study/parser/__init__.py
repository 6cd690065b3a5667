"""The Indonesian spaCy pipeline `models/id_ud_sm`: how its training data are read, reconciled, made and measured."""
