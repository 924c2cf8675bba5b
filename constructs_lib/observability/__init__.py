"""What tells how it is: logs, metrics, alarms, the dashboard, notices."""
