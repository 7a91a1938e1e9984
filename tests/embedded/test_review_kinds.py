from embedded import review_kinds


def test_a_review_is_found_by_its_url() -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert review_kinds.by_path(path) is review_kinds.ACCESS
    assert review_kinds.by_path(path + "/") is review_kinds.ACCESS
    assert review_kinds.by_path(path + "/x") is None


def test_every_review_is_described() -> None:
    for each in review_kinds.ALL:
        assert each.kind in review_kinds.schema_of(each)["description"]
