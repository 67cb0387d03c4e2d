"""
Would AWS IoT provision this device by this template?  Every reason why not, before a device tries.
"""

from firstlight.jitp.lint.device import check_device
from firstlight.jitp.lint.findings import Finding, Severity, has_errors
from firstlight.jitp.lint.template import check_template, parse

__all__ = ["Finding", "Severity", "check_device", "check_template", "has_errors", "parse"]
