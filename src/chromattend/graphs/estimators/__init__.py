"""Estimators of joint graphs: functions of a `Problem` and thresholds; see `registry.py`."""
