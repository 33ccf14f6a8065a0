"""An app with small kinds, through which the suite tests the core."""
