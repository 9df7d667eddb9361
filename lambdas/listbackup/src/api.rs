//! The API service: sources, jobs, runs, files, activity, API keys and OAuth.
