"""Settings: their values, the forms of their texts, the reader, and the page that documents them."""
