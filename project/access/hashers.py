from django.contrib.auth.hashers import PBKDF2PasswordHasher


class RandomSecretHasher(PBKDF2PasswordHasher):
    """For secrets that Carillon makes: 128 random characters, which no dictionary reaches.

    The many rounds that protect a person's password would only cost each call a tenth of a
    second, and let anybody who names a client keep the processor busy.
    """

    algorithm = "random_secret"
    iterations = 1

    def must_update(self, encoded: str) -> bool:
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Every check takes the same one round."""
