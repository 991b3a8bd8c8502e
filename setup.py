"""What pyproject.toml cannot say: the variants and the launch scripts travel inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["busjax", "busjax.*"]), "busjax.configs", "busjax.launch"],
    package_dir={"busjax.configs": "configs", "busjax.launch": "launch"},
)
