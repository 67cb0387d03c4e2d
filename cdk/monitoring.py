"""
Alarms and a dashboard: what each stack says about itself.
"""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

_PERIOD = Duration.minutes(5)


class Monitoring(Construct):
    """
    Alarms that tell *alarm_topic_arn*, if there is one, and a dashboard with them on top.
    """

    def __init__(self, scope: Construct, id_: str, *, alarm_topic_arn: str) -> None:
        super().__init__(scope, id_)
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard")
        topic = sns.Topic.from_topic_arn(self, "Topic", alarm_topic_arn) if alarm_topic_arn else None
        self._action = actions.SnsAction(topic) if topic else None
        self._alarms: list[cloudwatch.IAlarm] = []
        self._shown = False

    def alarm(
        self,
        id_: str,
        metric: cloudwatch.IMetric,
        *,
        above: float = 0,
        periods: int = 1,
        description: str,
    ) -> None:
        """
        Alarm when *metric* was over *above* for *periods* of its periods in a row; silence is no alarm.
        """
        alarm = cloudwatch.Alarm(
            self,
            id_,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
        if self._action:
            alarm.add_alarm_action(self._action)
        self._alarms.append(alarm)

    def show(self, **graphs: Sequence[cloudwatch.IMetric]) -> None:
        """
        Put a row of *graphs*, by title, on the dashboard; the alarms stand above the first one.
        """
        if not self._shown:
            self.dashboard.add_widgets(cloudwatch.AlarmStatusWidget(alarms=self._alarms, width=24, title="Alarms"))
            self._shown = True
        width = 24 // len(graphs)
        self.dashboard.add_widgets(
            *(
                cloudwatch.GraphWidget(title=title.replace("_", " "), left=list(metrics), width=width)
                for title, metrics in graphs.items()
            )
        )


def metric(
    namespace: str, name: str, *, statistic: str = "Sum", label: str = "", **dimensions: str
) -> cloudwatch.Metric:
    """
    Return the metric *name* of *namespace*, five minutes a point.
    """
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        period=_PERIOD,
        dimensions_map=dimensions or None,
        # CDK renders an alarm on a labelled metric as metric math, which the laptop AWS does not know
        label=label or None,
    )
