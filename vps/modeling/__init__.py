"""Models. Importing this package registers the backbones and meta-architectures with the host."""

from vps.modeling import backbone, vos, vpsnet

__all__ = ["backbone", "vos", "vpsnet"]
