"""The lean host: the part of Detectron2's framework that the program uses, on torch, fvcore and
iopath.

It serves the names of :mod:`vps.d2.contract` where Detectron2 itself is not installed, with the
same semantics: a config, a checkpoint or a trainer subclass written for one host works under the
other. Logger names are Detectron2's too (``detectron2.engine...``, shown as ``d2...``), so that
filters and scripts which read logs need not know the host.

Left out are the parts that nothing here uses: LazyConfig, loaders and samplers, transforms,
structures, PreciseBN, profilers, Caffe2 weights. Nothing outside ``vps/d2`` imports this package.
``fvcore.nn`` is never imported: it compiles with ``torch.jit`` at import.
"""
