from pathlib import Path

from tests.services import served

from chatlift.vocabulary import ModelName, Role


def test_figures_tell_requests_and_the_callers_own_runs(tmp_path: Path, database_url: str) -> None:
    with served(tmp_path, database_url) as at:
        at.client.get("/healthz")
        at.workspace.runs.enqueue(
            (ModelName.CHURN,),
            requested_model="churn",
            request={},
            requested_by="test",
            now=at.service.clock(),
        )
        told = at.client.get("/metrics", headers=at.headers(Role.VIEWER)).text
        others = at.client.get("/metrics", headers=at.headers(Role.VIEWER, at.other_account()))
    assert 'chatlift_requests_total{method="GET",route="/healthz",status="200"} 1.0' in told
    assert 'chatlift_runs{account="default",status="queued"} 1.0' in told
    assert 'chatlift_runs{account="other",status="queued"} 0.0' in others.text
    assert "default" not in others.text
    assert "chatlift_predictions_logged_total 0.0" in told
    assert "chatlift_predictions_lost_total 0.0" in told
