"""An app with two small kinds, through which the suite tests the core."""
