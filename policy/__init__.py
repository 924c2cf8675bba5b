"""Security policy of the synthesized stacks: checkov, our own rules where checkov is blind, and the accepted list."""
