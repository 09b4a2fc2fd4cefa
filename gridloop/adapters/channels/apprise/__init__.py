"""Real services through Apprise: 钉钉, 企业微信, 飞书, SMS services, mail and about 170 others."""
