using Xunit;

// Timing matters here and the tests share two cores: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
