"""Stories of scene packs in Chinese, played on a fake clock by the real rules, or over HTTP on a running deployment's clock."""
