"""The application on memory, through both front doors."""
