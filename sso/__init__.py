"""Single sign-on, the service provider's and relying party's side: values in, values out, no I/O."""
