"""What the gateway is compared with, and the gateway with parts of it taken away."""
