"""Who may do what: keys, policies, the role of deploys."""
