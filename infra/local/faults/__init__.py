"""The fault engine of all simulators: which fault a request gets, and how often.

A simulator derives a model from `rules.Rule` with its own kinds and parameters. All have the same control endpoint:

    GET    /control/faults            return the active rules, each with the number of times it has fired
    PUT    /control/faults  [rules]   replace all rules
    POST   /control/faults  [rules]   append rules
    DELETE /control/faults?kind=K     delete the rules whose fields have these values; without a query, all rules
"""
