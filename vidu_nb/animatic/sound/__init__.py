"""The preview engine's music: composed, then played."""
