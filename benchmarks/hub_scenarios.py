"""
What is measured in front of an IoT Hub, and what it must come to.
"""

from benchmarks.scenarios import (
    BULK,
    HONEST,
    IN_TIME,
    NONE_THERE,
    SOUND_HUB,
    Scenario,
    at_least,
)
from benchmarks.stub_limits import LOST

# What the reference does with pushes of 500 of one client, certificates a second.
_REFERENCE_20_MS, _REFERENCE = 3195, 9937
# As seen by Azure-Samples/Iot-Telemetry-Simulator#39: 100 devices a minute, 200 at once.
_S1 = {"profile": "hub-s1", "burst": {"Registry": 200}, "latency_ms": 20}
_NOTHING = (HONEST, IN_TIME, NONE_THERE)

HUB_SCENARIOS = (
    Scenario(
        name="hub, 10 pushes of 500, 20 ms a call",
        cloud="azure",
        weather={"latency_ms": 20},
        size=500,
        pushes=10,
        warm=10,
        checks=(*SOUND_HUB, BULK, at_least(1.5 * _REFERENCE_20_MS)),
    ),
    Scenario(
        name="hub, 20 pushes of 500",
        cloud="azure",
        weather={},
        size=500,
        pushes=20,
        warm=10,
        checks=(*SOUND_HUB, BULK, at_least(_REFERENCE)),
    ),
    Scenario(
        name="hub, 20 pushes of 500, 4 clients",
        cloud="azure",
        weather={},
        size=500,
        clients=4,
        pushes=5,
        warm=10,
        checks=(*SOUND_HUB, BULK),
    ),
    Scenario(
        name="hub S1, 1 x 500",
        cloud="azure",
        weather=_S1,
        size=500,
        rounds=40,
        checks=SOUND_HUB,
    ),
    Scenario(
        name="hub always 429, 1 x 249",
        cloud="azure",
        weather={"faults": {"*": {"429": 1.0}}},
        size=249,
        checks=_NOTHING,
    ),
    Scenario(
        name="hub always 500, 1 x 249",
        cloud="azure",
        weather={"faults": {"*": {"500": 1.0}}},
        size=249,
        checks=_NOTHING,
    ),
    Scenario(
        name="hub, 5 % of answers go missing, 4 x 500",
        cloud="azure",
        weather={"latency_ms": 20, "faults": {"*": {LOST: 0.05}}},
        size=500,
        clients=4,
        rounds=4,
        checks=SOUND_HUB,
    ),
)
