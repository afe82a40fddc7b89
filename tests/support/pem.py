"""Keys as PEM."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def public_pem(private_pem: str) -> str:
    """The public key of a private one."""
    public = load_pem_private_key(private_pem.encode(), password=None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
