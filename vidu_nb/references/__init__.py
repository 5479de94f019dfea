"""Reference pictures: whatever a person has at hand, made into what the API takes."""
