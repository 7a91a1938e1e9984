"""A package by name, because sklearn-pmml-model installs one called `tests` as well."""
