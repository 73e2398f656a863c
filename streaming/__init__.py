"""From a source of samples to windows that a model can take; knows no model."""
