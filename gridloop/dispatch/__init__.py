"""Who is right for a case: learns from what desks decide, and proposes type, lead unit and severity with an honest confidence."""
