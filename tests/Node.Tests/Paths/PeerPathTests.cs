using Mesh.Node.Paths;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Paths;

public sealed class PeerPathTests
{
    private static readonly UdpEndpoint A = UdpEndpoint.Parse("10.0.0.1:1");
    private static readonly UdpEndpoint B = UdpEndpoint.Parse("10.0.0.2:1");
    private static readonly UdpEndpoint C = UdpEndpoint.Parse("[fd00::3]:1");
    private static readonly UdpEndpoint Roamed = UdpEndpoint.Parse("203.0.113.9:4444");

    [Fact]
    public void The_first_candidate_is_tried_first()
    {
        Assert.Equal(A, new PeerPath().SetCandidates([A, B], inUse: null));
    }

    [Fact]
    public void An_unanswered_handshake_moves_on_round_and_round()
    {
        var path = new PeerPath();
        path.SetCandidates([A, B, C], inUse: null);
        Assert.Equal(B, path.HandshakeUnanswered(A));
        Assert.Equal(C, path.HandshakeUnanswered(B));
        Assert.Equal(A, path.HandshakeUnanswered(C));
        Assert.Equal(3, path.Unanswered);
    }

    [Fact]
    public void A_lone_candidate_is_left_to_the_engine_to_retry()
    {
        var path = new PeerPath();
        path.SetCandidates([A], inUse: null);
        Assert.Null(path.HandshakeUnanswered(A));
    }

    [Fact]
    public void A_settled_path_is_not_disturbed_by_new_candidates()
    {
        var path = new PeerPath();
        path.SetCandidates([A, B], inUse: null);
        path.SessionMade();
        Assert.Null(path.SetCandidates([C, A], inUse: Roamed));
        Assert.True(path.IsSettled);
    }

    [Fact]
    public void A_settled_path_whose_endpoint_is_withdrawn_goes_to_the_first_that_is_left()
    {
        var path = new PeerPath();
        path.SetCandidates([A, B], inUse: null);
        path.SessionMade();
        Assert.Equal(C, path.SetCandidates([C, B], inUse: A));
        Assert.False(path.IsSettled);
    }

    [Fact]
    public void New_candidates_are_tried_at_once_while_nothing_has_answered()
    {
        var path = new PeerPath();
        path.SetCandidates([A], inUse: null);
        path.HandshakeUnanswered(A);
        Assert.Equal(B, path.SetCandidates([B], inUse: A));
    }

    [Fact]
    public void The_same_candidates_again_change_nothing()
    {
        var path = new PeerPath();
        path.SetCandidates([A, B], inUse: null);
        path.HandshakeUnanswered(A);
        Assert.Null(path.SetCandidates([A, B], inUse: B));
        Assert.Equal(A, path.HandshakeUnanswered(B));
    }

    [Fact]
    public void A_peer_that_asks_to_be_reached_is_tried_where_it_says_unless_it_is_reached_already()
    {
        var path = new PeerPath();
        path.SetCandidates([A], inUse: null);
        Assert.Equal(Roamed, path.ReachAsked([Roamed]));
        path.SessionMade();
        Assert.Null(path.ReachAsked([B]));
    }

    [Fact]
    public void Without_candidates_there_is_nowhere_to_go()
    {
        var path = new PeerPath();
        Assert.Null(path.SetCandidates([], inUse: null));
        Assert.Null(path.HandshakeUnanswered(null));
    }
}
