"""The campus's LMS: an LTI 1.3 Advantage platform with one course."""
