"""Build of the compiled render engine; everything else about the project is in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

TRACE = os.environ.get("RENDER_EXT_TRACE") == "1"  # line tracing, for coverage of the .pyx files
ANNOTATE = os.environ.get("RENDER_EXT_ANNOTATE") == "1"  # the yellow HTML, under build/cython/

MACROS = [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if TRACE else []

setup(
    ext_modules=cythonize(
        [
            Extension(f"render_ext.{name}", [f"render_ext/{name}.pyx"], define_macros=MACROS)
            for name in ("_buffer", "_dkim", "_email", "_gsm", "_headers", "_messages", "_tokens", "_vm")
        ],
        compiler_directives={"language_level": 3, "embedsignature": True, "linetrace": TRACE},
        annotate=ANNOTATE,
        build_dir=None if TRACE else "build/cython",
    ),
)
