"""What the tests share: servers, clients and drivers."""
