"""What is done with uploaded files within child processes: nothing here runs where requests do."""
