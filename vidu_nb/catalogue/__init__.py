"""What can be asked of which model: a TOML file for each, and what reads them and makes requests of them."""
