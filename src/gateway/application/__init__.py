"""What can be asked of the gateway: commands that move money, queries that look, and who may ask."""
