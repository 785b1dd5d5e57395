"""Long work over many images: what is done is kept, and an interrupted job resumes where it stopped."""
