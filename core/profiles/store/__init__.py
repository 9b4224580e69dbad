"""All SQL of profiles, one file per table; `import_chunks` holds the statements of one chunk of an import."""
