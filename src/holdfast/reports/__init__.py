"""What the runs of a day, a month or a year add up to, as data, text and pages."""
