"""REHEARSAL. Recorded traffic against the production decider, in virtual time.

How the modules follow one another, from a file's text to a table's numbers:

    traces     text → Trace: arrivals, and durations and models where the text has them
      stamps     what one time stamp says, and in which unit
      columns    which column is which, and what separates them
      rows       CSV or JSON lines → cells, by line
      shaping    cut, compress and rescale a trace; describe it in numbers
    terms      what is assumed of the model: service time, cold start, concurrency, ...
    policies   `kpa,window=30s` → Policy
      deciding   a Policy at work: the production Pilot, or one of the yardsticks
    engine     one policy over one Revision's arrivals → Run; it drives
      fleet      the replicas: starting, ready, draining, frozen
      slots      which replica takes the next request
      holding    the activator: the queue, the reports and the pokes
    oracle     the least replica-seconds without any waiting → Run
    runs       what a rehearsal leaves behind: waits, lives of replicas; runs of models add up
    scores     Run → Score: the numbers of a table's line
    timelines  Run → Timeline: load, replicas and waits by time, for a chart
    running    rehearse(trace, policy, terms) → Result(score, timeline): what callers want
    searching  many of those → the Pareto front over the knobs, with annotations to paste
      knobs      the annotations that a search turns, and the values it tries

Everything is pure: time is virtual, chance comes from a seed, files are read by the caller.
"""
