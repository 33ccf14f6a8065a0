"""Sign-up and sign-in: django-allauth as this site uses it."""
