"""The domain: sessions of a workspace folder, their life, their export and import. No SQL, no wire."""
