"""The kept figures: their history on one kind of machine, their names in words, what was wanted of them."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

WORSE = 1.25  # by this much against the median of earlier runs a figure is marked
CROWDED = 1.5  # load per core above which a run says little: drawn hollow, compared with nothing
_LOAD = re.compile(r", load ([0-9.]+)")
_PYTHON = re.compile(r", Python [0-9.]+")


@dataclass(frozen=True, slots=True)
class Run:
    value: float
    at: str
    commit: str
    model: str  # cores and processor
    load: float

    @property
    def crowded(self) -> bool:
        cores = self.model.partition(" ")[0]
        return self.load > CROWDED * (int(cores) if cores.isdigit() else 1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One name of one script; ``runs`` are those on the machine model of the newest one, oldest first."""

    script: str
    name: str
    unit: str
    runs: tuple[Run, ...]

    @property
    def now(self) -> Run:
        return self.runs[-1]

    @property
    def more_is_better(self) -> bool:
        speed = self.unit.endswith("/s") and not self.name.endswith("_most")
        return speed or (self.unit in ("share", "%") and not _is_cost(self.name))

    @property
    def before(self) -> float | None:
        """The median of earlier runs that were not crowded; None without one."""
        earlier = [run.value for run in self.runs[:-1] if not run.crowded]
        return statistics.median(earlier) if earlier else None

    @property
    def change(self) -> Literal["worse", "better", "same", "unknown"]:
        before = self.before
        if before is None or before <= 0 or self.now.value < 0 or self.now.crowded:
            return "unknown"
        ratio = self.now.value / before if not self.more_is_better else before / max(self.now.value, 1e-12)
        return "worse" if ratio > WORSE else "better" if ratio < 1 / WORSE else "same"


def _is_cost(name: str) -> bool:
    return "error" in name or "processor" in name


def read(folder: Path) -> dict[str, list[Figure]]:
    """Figures by script, in the order in which they were last written."""
    found: dict[str, list[Figure]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        if lines:
            found[file.stem] = list(_figures(file.stem, lines))
    return found


def _figures(script: str, lines: Sequence[Mapping[str, Any]]) -> Iterable[Figure]:
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_name[line["name"]] = [*by_name.pop(line["name"], []), line]
    for name, mine in by_name.items():
        runs = [_run(line) for line in mine]
        yield Figure(script, name, str(mine[-1]["unit"]), tuple(run for run in runs if run.model == runs[-1].model))


def _run(line: Mapping[str, Any]) -> Run:
    machine = str(line["machine"])
    load = _LOAD.search(machine)
    model = _PYTHON.sub("", _LOAD.sub("", machine))
    return Run(float(line["value"]), str(line["at"]), str(line["commit"]), model, float(load.group(1)) if load else 0.0)


@dataclass(frozen=True, slots=True)
class Target:
    """What was wanted of a figure: at least, at most, or more than another figure of the same run (``than``)."""

    script: str
    name: str
    least: float | None = None
    most: float | None = None
    than: str = ""

    def met(self, figures: Mapping[str, Figure]) -> bool | None:
        """None when it was never measured."""
        mine = figures.get(self.name)
        if mine is None or (self.than and self.than not in figures):
            return None
        value = mine.now.value
        least = figures[self.than].now.value if self.than else self.least
        return (least is None or value >= least) and (self.most is None or value <= self.most)


LISTS = (  # the reads of bench/many_cases.py
    *("list_newest", "list_todo_urgent", "list_todo_counted", "list_done", "list_counted", "list_by_region_and_status"),
    *("search_two_characters", "search_four_characters", "search_rare", "search_mixed", "search_code_end", "search_counted"),
    *("counts", "map_county", "map_open", "map_streets"),
)
TARGETS = (
    Target("signals_door", "signals_http_ndjson", least=25_000),
    Target("signals_door", "signals_http_json", least=25_000),
    Target("signals_door", "signals_http_ndjson_of_append", least=50),
    Target("signals_door", "signals_http_json_of_append", least=50),
    Target("consoles", "consoles_signals_taken", least=1_000),
    Target("consoles", "alarm_in_page_p99", most=1_000),
    Target("consoles", "consoles_frames_a_second_most", most=4),
    Target("consoles", "consoles_unlike_a_fresh_read", most=0),
    Target("consoles", "consoles_alarms_missed", most=0),
    Target("life_cycle", "life_cycles_1m", least=40),
    Target("life_cycle", "life_cycles_1m_of_empty", least=90),
    Target("life_cycle", "spike_request_p95", most=1_000),
    Target("life_cycle", "spike_refused_or_failed", most=0),
    Target("life_cycle", "spike_back_to_normal", most=10),
    Target("life_cycle", "overload_failed", most=0),
    Target("places", "region_lookup_in_arrays", than="postgis_lookup_in_arrays"),
    Target("places", "region_lookup_one_by_one", than="postgis_lookup_one_by_one"),
    Target("places", "region_answers_unlike_postgis", most=0),
    *(Target("many_cases", f"{one}_{who}_p95", most=150) for one in LISTS for who in ("operator", "worker", "handler")),
    Target("many_cases", "history_imported_and_worded", least=20_000),
    Target("many_cases", "second_start", most=10),
    Target("memory", "start_second", most=10),
    Target("detection", "detection_step_10000", least=2_000_000),
    Target("detection", "detection_step_50000", least=2_000_000),
    Target("detection", "detection_numba_step_10000", least=5_000_000),
    Target("detection", "detection_numba_step_50000", least=5_000_000),
    Target("detection", "detection_numba_every_rule_step_50000", least=2_000_000),
    Target("detection", "detection_hot_key_cost", most=3),
    Target("detection", "detection_numba_hot_key_cost", most=3),
    Target("detection", "detection_million_devices_cost", most=3),
    Target("detection", "detection_numba_million_devices_cost", most=3),
    Target("detection", "detection_lists_unlike_the_first", most=0),
    Target("detection", "detection_every_rule_lists_unlike", most=0),
    *(
        Target("detection", f"detection_peers_{one}_unlike_ours", most=0)
        for one in ("ten_python_loop", "eight_duckdb", "eight_datafusion", "eight_spark")
    ),
    *(Target("lanes", f"lanes_{log}_workers_{n}_unlike_the_first", most=0) for log in ("postgres", "jetstream") for n in (1, 2)),
    Target("archive", "archive_spark_unlike_one_process", most=0),
    Target("routine", "routine_silence_0.005_found_diary", least=80),
    Target("routine", "routine_silence_0.005_false", most=1),
    Target("detection", "detection_state_nine", most=120),
    Target("detection", "detection_state_routine", most=700),
)

# Words of names, longest first when a name is told: Chinese, English.
WORDS: dict[str, tuple[str, str]] = {
    "signals_http_ndjson_gzip": ("HTTP 批次（NDJSON，压缩）", "HTTP batches, NDJSON, gzip"),
    "signals_http_ndjson": ("HTTP 批次（NDJSON）", "HTTP batches, NDJSON"),
    "signals_http_json_gzip": ("HTTP 批次（JSON，压缩）", "HTTP batches, JSON, gzip"),
    "signals_http_json": ("HTTP 批次（JSON）", "HTTP batches, JSON"),
    "signals_http_single": ("HTTP 逐条", "HTTP, one by one"),
    "signals_by_http_batches_of_500": ("HTTP 每批 500 条", "HTTP batches of 500"),
    "signals_bare_append": ("仅写信号日志", "bare log append"),
    "signals_raw_copy": ("直接 COPY 入表", "raw COPY"),
    "signals_bare_jetstream": ("仅 JetStream", "bare JetStream"),
    "signals_mqtt_qos1": ("MQTT QoS 1（本平台，已落盘）", "MQTT QoS 1, ours (on disk)"),
    "signals_mqtt": ("MQTT QoS 1", "MQTT QoS 1"),
    "mosquitto_qos1": ("MQTT QoS 1（mosquitto，仅在内存）", "MQTT QoS 1, mosquitto (in memory)"),
    "of_append": ("占仅写日志的比例", "of the bare append"),
    "of_mosquitto": ("与 mosquitto 之比", "of mosquitto"),
    "signals_log_append": ("写信号日志", "log append"),
    "signals_door": ("接入（不含 HTTP）", "door without HTTP"),
    "signals_effects": ("信号生效", "effects"),
    "alarm_in_page": ("告警受理→列表可见", "alarm accepted → in the list"),
    "alarms_gone_before_the_list": ("列表读到前已结束的告警", "alarms over before the list was read"),
    "alarm_to_frame": ("告警受理→推送到达", "alarm accepted → frame"),
    "consoles_signals_taken": ("接收信号", "signals taken"),
    "consoles_batch_latest": ("批次最大迟到", "latest batch"),
    "consoles_worker_behind": ("最后信号生效用时", "the last signals had their effects after"),
    "consoles_frames_a_second_most": ("单个控制台最多帧数（5 秒均值）", "most frames of a console (over 5 s)"),
    "archive_spark_unlike_one_process": ("Spark 与单进程不一致的报警变化", "changes on Spark unlike one process"),
    "archive_spark_time": ("Spark 任务用时", "Spark's tasks, time"),
    "archive_spark": ("历史：Spark（两个单核工作者）", "history: Spark, two workers of a core"),
    "archive_one": ("历史：单进程", "history: one process"),
    "consoles_unlike_a_fresh_read": ("与重新读取不一致的控制台", "consoles unlike a fresh read"),
    "consoles_alarms_missed": ("漏推的告警", "alarms not told"),
    "consoles_alarms_without_case": ("未成事件的告警", "alarms without a case"),
    "consoles_lists_read_again": ("列表重读次数", "lists read again"),
    "consoles_processor": ("处理器占用", "processor"),
    "report_to_open_console": ("上报→控制台可见", "report → open console"),
    "region_lookup": ("点落网格", "point → region"),
    "postgis_lookup": ("PostGIS 点落网格", "PostGIS, point → region"),
    "in_arrays": ("成批", "in arrays"),
    "one_by_one": ("逐个", "one by one"),
    "regions_index_built": ("建索引", "index built"),
    "postgis_index_built": ("PostGIS 装载与建索引", "PostGIS, loaded and indexed"),
    "region_answers_unlike_postgis": ("与 PostGIS 不一致的答案", "answers unlike PostGIS"),
    "memory_rest": ("空闲内存", "memory at rest"),
    "memory_load": ("负载内存", "memory under load"),
    "pss": ("PSS", "PSS"),
    "rss": ("RSS", "RSS"),
    "start_first": ("首次启动", "first start"),
    "start_second": ("再次启动", "second start"),
    "second_start": ("再次启动（有历史事件）", "second start with a history"),
    "list_newest": ("最新 50 件", "newest 50"),
    "list_todo_counted": ("待办并计数", "to do, counted"),
    "list_todo_urgent": ("待办，最急在前", "to do, most pressing first"),
    "list_done": ("已办结", "ended"),
    "list_counted": ("最新 50 件并计数", "newest 50, counted"),
    "search_two_characters": ("检索两字", "search: two characters"),
    "search_four_characters": ("检索四字", "search: four characters"),
    "search_rare": ("检索罕见词", "search: ten in all"),
    "search_mixed": ("检索字与数字", "search: with digits"),
    "search_code_end": ("按编号末几位", "the end of a code"),
    "search_counted": ("检索并计数", "search, counted"),
    "list_by_region_and_status": ("按区域与状态", "by region and status"),
    "counts": ("统计", "counts"),
    "map_county": ("全县地图", "map of the county"),
    "map_open": ("在办地图", "map of what is open"),
    "map_streets": ("街道地图", "map of some streets"),
    "historic_cases_imported": ("导入历史事件", "history imported"),
    "historic_case_processor": ("导入一件历史事件的处理器时间", "processor time of one imported"),
    "historic_case_processor_client": ("其中导入命令", "of it the command"),
    "history_imported_and_worded": ("导入历史事件（可检索）", "history imported, findable"),
    "history_imported": ("导入历史事件", "history imported"),
    "operator": ("县坐席", "operator"),
    "handler": ("部门处置员", "handler"),
    "worker": ("网格员", "grid worker"),
    "of_empty": ("与空库之比", "of the empty figure"),
    "client_processor": ("客户端处理器时间", "processor time of the client"),
    "empty": ("空库", "empty"),
    "100k": ("10 万件", "100,000 cases"),
    "1m": ("100 万件", "a million cases"),
    "spike_request": ("突增：单次请求", "spike: a request"),
    "spike_life": ("突增：完整办理", "spike: a whole life"),
    "spike_refused_or_failed": ("突增：拒绝或失败", "spike: refused or failed"),
    "spike_back_to_normal": ("突增后恢复", "spike: as before after"),
    "overload_refused": ("过载：拒绝（429）", "overload: refused (429)"),
    "overload_failed": ("过载：失败", "overload: failed"),
    "overload_answer": ("过载：应答", "overload: an answer"),
    "overload_life_cycles": ("过载：完整办理", "overload: whole lives"),
    "assign": ("签收", "assign"),
    "handle": ("到场", "handle"),
    "submit": ("反馈", "submit"),
    "close": ("结案", "close"),
    "life_cycles": ("完整办理", "whole lives"),
    "life_cycle": ("每件完整办理", "a whole life"),
    "task_accept": ("签收", "sign for"),
    "submit_with_photo": ("带照片反馈", "submit with a photo"),
    "check_approve": ("核查通过", "check"),
    "report": ("上报", "report"),
    "reports": ("上报", "reports"),
    "signals": ("信号", "signals"),
    "accept": ("受理", "accept"),
    "search": ("检索", "search"),
    "processor": ("处理器时间", "processor time"),
    "p50": ("中位", "median"),
    "p95": ("95 分位", "p95"),
    "p99": ("99 分位", "p99"),
    "replay_hotline": ("回放热线记录", "hotline rows replayed"),
    "failed": ("失败", "failed"),
    "merged": ("并案", "merged"),
    "soak": ("久测", "soak"),
    "full_disk": ("磁盘写满", "disk full"),
    "healed": ("腾出空间后恢复", "back after there was room"),
    "answered_503": ("答 503", "answered 503"),
    "answered_nothing": ("无应答", "not answered"),
    "kills": ("强制结束进程", "kills"),
    "down_longest": ("最长中断", "down, longest"),
    "down_mean": ("平均中断", "down, mean"),
    "address": ("地址定位", "address"),
    "error_median": ("误差中位", "median error"),
    "found": ("找到", "found"),
    "merge_precision": ("并案准确率", "merging, precision"),
    "merge_recall": ("并案召回率", "merging, recall"),
    "type": ("事件类型", "type"),
    "unit": ("主办单位", "unit"),
    "severity": ("等级", "severity"),
    "baseline": ("对照", "baseline"),
    "calibration_error": ("校准误差", "calibration error"),
    "proposal": ("建议", "proposal"),
    "process": ("流程引擎", "process engine"),
    "detection_numba_every_rule_step": (
        "识别（numba），每条读数过全部规则，每批",
        "detection (numba), every rule on every reading, a step of",
    ),
    "detection_numba_no_hot_key_step": (
        "识别（numba），同样多读数，无热点，每批",
        "detection (numba), as many readings, none has more, a step of",
    ),
    "detection_numba_hot_key_step": ("识别（numba），单设备占四分之一，每批", "detection (numba), one device has a quarter, a step of"),
    "detection_numba_hot_key_cost": ("单设备占四分之一读数的代价（numba）", "cost of one device with a quarter of the readings (numba)"),
    "detection_numba_million_devices_cost": ("一百万设备与一千设备之比的代价（numba）", "cost of a million devices, of a thousand (numba)"),
    "detection_million_devices_cost": ("一百万设备与一千设备之比的代价", "cost of a million devices, of a thousand"),
    "detection_numba_devices": ("识别（numba），设备数", "detection (numba), devices"),
    "detection_numba_step": ("识别（numba），每批读数", "detection (numba), readings a step"),
    "detection_numba_of_bandwidth": ("占内存带宽（numba）", "of the memory's bandwidth (numba)"),
    "detection_numpy_of_bandwidth": ("占内存带宽（NumPy）", "of the memory's bandwidth (NumPy)"),
    "detection_numba_time_in": ("用时占比（numba）", "share of time (numba)"),
    "detection_numpy_time_in": ("用时占比（NumPy）", "share of time (NumPy)"),
    "detection_copy": ("内存复制", "copying in memory"),
    "detection_touched": ("每条读数至少触及", "a reading touches at least"),
    "detection_peers": ("同场对照", "beside others"),
    "detection_every_rule_lists_unlike": ("与首次不同的告警清单（全部规则）", "alarm lists unlike the first, every rule"),
    "detection_state_silence": ("无声基线的状态", "state of a learned silence"),
    "routine_silence": ("学得的无声，罕见度", "learned silence, rarity"),
    "routine_eight_hours": ("此前的八小时偏离", "deviation of eight hours, as before"),
    "routine_day": ("一昼夜无记录", "a day without anything"),
    "routine_days_of_silence_found": ("超过一昼夜的真实无声，被发现", "real silences over a day, found"),
    "routine_months_scored": ("评分时长", "time scored"),
    "hazards_gauge": ("潮位站", "tide gauge"),
    "hazards_river": ("河流", "river"),
    "hazards_meters": ("户用电表", "household meters"),
    "hazards_pipeline": ("供水管道", "water pipeline"),
    "detection_step": ("识别，每批读数", "detection, readings a step"),
    "detection_every_rule_step": ("识别，每条读数过全部规则，每批", "detection, every rule on every reading, a step of"),
    "detection_hot_key_cost": ("单设备占四分之一读数的代价", "cost of one device with a quarter of the readings"),
    "detection_hot_key_step": ("识别，单设备占四分之一，每批", "detection, one device has a quarter, a step of"),
    "detection_no_hot_key_step": ("识别，同样多读数，无热点，每批", "detection, as many readings, none has more, a step of"),
    "detection_devices": ("识别，设备数", "detection, devices"),
    "detection_state_nine": ("九个简单算子的状态", "state of nine simple operators"),
    "detection_state_routine": ("作息基线的状态", "state of a routine"),
    "detection_state_ten": ("测速所用十个识别器的状态", "state of the ten detectors timed"),
    "detection_lists_unlike_the_first": ("与首次不同的告警清单（批次大小不同）", "alarm lists unlike the first, by step size"),
    "detection_evaluations": ("每条读数的规则数", "detectors that take a reading"),
    "alarms": ("告警", "alarms"),
}
SECTIONS = {  # script → Chinese, English, in the order of the page
    "signals_door": ("信号接入", "Signals through the doors"),
    "consoles": ("200 个控制台", "200 consoles"),
    "life_cycle": ("一件事的全过程", "A case's life"),
    "many_cases": ("列表、检索与地图", "Lists, search and maps"),
    "places": ("点落网格", "Points to regions"),
    "memory": ("内存与启动", "Memory and starts"),
    "signals": ("信号日志", "The signal log"),
    "replay_rows": ("回放", "Replay"),
    "routing": ("分派建议", "Proposals"),
    "addresses": ("地址", "Addresses"),
    "merging": ("并案", "Merging"),
    "detection": ("识别", "Detection"),
    "archive": ("历史与 Spark", "History and Spark"),
    "routine": ("作息与无声", "Routines and silences"),
    "hazards": ("水情、雨情与用电", "Water, rain and meters"),
    "process_engine": ("流程引擎", "Process engine"),
    "soak": ("久测", "The long proof"),
}


def words(name: str) -> tuple[str, str]:
    """A name in Chinese and English; a part without words stays as it is."""
    parts, zh, en = name.split("_"), list[str](), list[str]()
    while parts:
        for length in range(len(parts), 0, -1):
            if said := WORDS.get("_".join(parts[:length])):
                break
        else:
            length, said = 1, (parts[0], parts[0])
        zh.append(said[0])
        en.append(said[1])
        parts = parts[length:]
    return " ".join(zh), ", ".join(en)
