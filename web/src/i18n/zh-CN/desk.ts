/** Words of the desk. English: ../en/desk.ts, same keys. */
export default {
  nav: { console: "事件台", tasks: "我的待办", cockpit: "驾驶舱", cases: "事件广场", org: "组织", devices: "设备", packs: "场景" },
  shell: {
    nav: "主导航", skip: "跳到正文", live: "实时", reconnecting: "重连中", clock: "部署时钟", logOut: "退出",
    sampleHint: "演示数据：人名、地名、事件均为虚构", denied: "没有权限", deniedText: "{name}，这个页面不在您的权限之内。如需使用，请联系系统管理员授权。",
    toHome: "回到首页", toPhone: "去手机页上报", otherUser: "换一个账号登录", lost: "没有这个页面", lostText: "地址可能写错了，或者页面已经搬走。",
  },
  state: { loading: "正在加载…", empty: "暂无数据" },
  map: { missing: "底图尚未生成", in: "放大", out: "缩小" },
  case: {
    gap: "相距 {n} 米", progress: "办理进度", now: "进行中", trace: "流转", chainHint: "本机重新计算了每一条记录的哈希并核对前后相连",
    chain: { intact: "存证完整（{n} 条）", linked: "前后相连（{n} 条）", broken: "存证不完整，请上报管理员" },
    enlarge: "放大第 {n} 张图片", mergedN: "合并 {n}", reworksN: "返工 {n}", mergedInto: "已并入 {code}", lead: "主办", limit: "时限",
    text: "情况", noText: "没有文字说明", openReporter: "调阅上报人", noReporter: "没有留下姓名、电话", reporter: "上报人", sources: "来源", sourcesN: "共 {n} 次", evidence: "凭证", tasks: "任务",
    nobody: "无人承办", rating: "评价", starsN: "{n} 星", byReporters: "上报人（{n}）", byCentre: "中心", supervision: "督办", replyBy: "{at} 前答复", rateHint: "中心评价一次", trackPage: "打开群众查询页", type: "类型", severity: "等级", statusWord: "状态",
    reportedAt: "上报时间", place: "地点", region: "区域", unit: "承办单位", source: "来源", code: "编号", title: "标题", left: "剩余时间",
  },
  caseVerb: {
    accept: "受理", route: "改派", merge: "合并", urge: "催办", void: "作废", rate: "评价", reject: "不予受理", escalate: "上报上级", return: "退回",
    supervise: "督办", reopen: "重办", split: "拆分",
  },
  console: {
    queue: "事件队列", bySeverity: "按等级", boxes: "分类", searchHint: "标题、编号（按 / 键）", waiting: "有 {n} 条新事件，点此查看", fresh: "新",
    overdue: "超时 {n}", pick: "请在左侧选择一个事件",
    empty: { todo: "没有待派的事件", doing: "没有在办的事件", done: "没有办结的事件", all: "没有符合条件的事件" },
    candidates: "候选单位", press: "按", choose: "选择", proposal: "建议", noUnit: "由主管单位承办", sure: "把握 {n}%", load: "在手 {n}",
    noCandidates: "没有候选单位，可在下面另选", other: "其他单位", otherHint: "搜索单位", supporting: "协办单位", supportingHint: "可选多个",
    note: "交办意见", noteHint: "可空", reason: "理由", reasonNeeded: "请写明理由（必填）", updown: "上下", dispatchWord: "派遣", help: "帮助",
    dispatchTo: "派遣 {name}", acceptPlain: "受理并派遣", routeTo: "改派 {name}", handDown: "下派 {name}", handedDown: "已下派 {name}", dispatched: "已派遣 {name}", accepted: "已受理并派遣", map: "事件地图",
    mergeTitle: "合并同一件事", noTwins: "附近 500 米内没有其他在办事件", twins: "附近事件", metres: "{n} 米", thisCase: "本件", otherCase: "并入",
    mergeHint: "本件结束，来源和凭证全部转到对方，办理在对方继续。", mergeInto: "并入 {code}", mergeNote: "同一地点同一件事，并入 {code}",
    saidDone: {
      merge: "已合并", urge: "已催办", void: "已作废", reject: "已退回，不予受理", escalate: "已上报上级", return: "已退回", route: "已改派", accept: "已受理", rate: "已评价", supervise: "已督办",
    },
    keys: {
      title: "键盘操作", down: "下一条", up: "上一条", choose: "选择单位", accept: "受理并派遣，跳到下一条", merge: "合并", search: "搜索", help: "本帮助",
      leave: "离开输入框、关闭",
    },
  },
  task: {
    mine: "我的任务", open: "待办", done: "已完成", empty: "没有待办任务", pick: "请在左侧选择一个任务", addPhoto: "＋ 添加照片", removePhoto: "移除照片",
    needed: "请填写", note: "办理说明", noteHint: "写明做了什么、结果如何", reasonHint: "请写明理由（必填）", photos: "照片", photoNeeded: "需要至少一张照片",
    said: {
      accept: "已签收", return: "已退回", submit: "已提交，等待核查", approve: "已通过", reject: "已退回重办", escalate: "已提级", check_in: "已签到",
      transfer: "已转办", delegate: "已委派", suspend: "已挂起", resume: "已恢复", extend: "已申请延期",
    },
    before: "处置前", after: "处置后", noPhoto: "没有照片", result: "处置结果", all: "全部", overdue: "超时", openCase: "查看事件全貌",
    actOn: "{verb}「{title}」",
  },
  cases: {
    title: "事件广场", csv: "导出 CSV", more: "下一页", prev: "上一页", total: "共 {n} 件", search: "标题、编号、地址", since: "开始日期", until: "结束日期",
    clear: "清除条件", empty: "没有符合条件的事件", overdueOnly: "只看超时", openBox: "全部在办", allRegions: "全部区域", page: "第 {n} 页", results: "事件列表", inConsole: "在事件台中打开",
  },
  cockpit: {
    title: "{name}社会治理驾驶舱", whole: "返回全域", full: "全屏", today: "今日", reported: "上报", closed: "办结", onTime: "按时办结率",
    average: "平均办结用时", satisfaction: "满意度（5 星）", centre: "中心 {n}", goodShare: "好评率", inHand: "当前在办", open: "在办", waiting: "待派", overdue: "超时",
    byType: "类型在办", todayN: "今日 {n}", hours: "24 小时", hoursText: "近 24 小时上报 {reported} 件，办结 {closed} 件", heat: "底色：网格在办多少",
    latest: "最新上报", worst: "超时最久", noneLate: "没有超时的事件", force: "力量", onDuty: "在岗 / 共 {n} 人", devices: "在线 / 共 {n} 台设备",
    byRegion: "镇街在办",
  },
  evidence: { before: "处置前", after: "处置后", scene: "现场", document: "文件" },
  org: {
    units: "单位", duty: "此刻在岗", regions: "区域", staff: "人员", regionSearch: "区域名称、拼音、代码", unitSearch: "单位名称、代码",
    staffSearch: "姓名、拼音、工号", noChildren: "下面没有更细的区域", name: "名称", level: "层级", code: "编号", households: "户数", population: "人口",
    itsCases: "在办事件", pickUnit: "请在左侧选择一个单位", now: "此刻谁负责", noRoster: "没有排班，由本单位 {n} 人负责", kind: "单位类别", person: "姓名",
    unit: "单位", phone: "电话", onDuty: "在岗", until: "至 {at}",
  },
  look: {
    open: "查看号码", note: "调阅会先留痕，再显示。", purpose: "用途", reason: "事由", reasonHint: "如：事件编号、要联系谁", go: "调阅",
    for: {
      handle_case: "办理事件", emergency: "应急处置", visit: "走访服务", inspection: "检查执法", mediation: "矛盾调解", data_quality: "数据核对",
      subject_request: "本人申请", audit: "审计监督",
    },
  },
  unitKind: {
    center: "社会治理中心", room: "综合信息指挥室", department: "县级部门", town: "镇街", panel: "镇街板块", team: "综合行政执法队", station: "站所",
    police_post: "派出所", utility: "公用事业单位", village: "村社", grid_team: "网格团队",
  },
  presence: { resident: "常驻", rotating: "轮驻", on_call: "随叫随驻" },
  shiftRole: { duty_commander: "值班长", operator: "坐席", member: "值班" },
  device: {
    search: "名称、编号", status: "状态", kind: "类别", all: "全部", name: "名称", seen: "最近一次", never: "从未上报", map: "设备地图", value: "最近读数",
    interval: "上报间隔", seconds: "{n} 秒", add: "登记设备", edit: "修改设备", place: "位置（经度, 纬度）", placeHint: "经度, 纬度，如 121.57, 29.20",
    intervalSeconds: "上报间隔（秒）", coverage: "覆盖半径（米）", saved: "已保存 {code}", secret: "发放密钥", secretOnce: "新密钥只显示这一次，旧密钥已失效：", faulty: "标为故障", mended: "恢复在线",
  },
  deviceStatus: { online: "在线", silent: "失联", faulty: "故障", unproved: "未验证" },
  deviceKind: {
    camera: "摄像头", smoke: "烟感", door: "门磁", motion: "人体感应", water_meter: "水表", electricity_meter: "电表", gas_meter: "燃气表",
    thermal: "热成像", water_level: "水位计", rain: "雨量计", loudspeaker: "应急广播", gps: "定位终端",
  },
  pack: {
    hint: "在办事件沿用开始时的版本", empty: "还没有安装场景", process: "流程", needs: "还缺", nothing: "不缺", differs: "例外", none: "没有例外",
    offIn: "在 {n} 个单位停用", onIn: "在 {n} 个单位启用", on: "已启用", off: "已停用", oneUnit: "单独设置某个单位", offThere: "在该单位停用",
    onThere: "在该单位启用", everywhere: "全域", switchedOn: "「{name}」已在{unit}启用", switchedOff: "「{name}」已在{unit}停用",
    badDiagram: "流程图无法显示",
  },
  tier: { bronze: "铜", silver: "银", gold: "金" },
  process: {
    standard_case: "标准事件流程", warn_then_enforce: "先提醒后执法", welfare_check: "关爱探访", plan_response: "预案响应", joint_inspection: "综合查一次",
    mediation: "矛盾调解", deputy_matter: "代表事项", review: "核查",
  },
  tour: {
    button: "导览", title: "从报警到五星", step: "第 {n} 步，共 {of} 步", end: "结束导览", make: "产生一条演示上报", go: "去看这一步",
    become: "切换为{name}继续", finished: "闭环完成：从报警到五星，每一步都在流转记录里，可以验证。",
    alarm: { title: "新上报进来", text: "群众的一条上报会在一秒内出现在待派队列。点下面的按钮，系统以群众身份报一盏坏路灯。" },
    accept: { title: "按 Enter 采纳建议", text: "系统已给出类型、等级和承办单位。看一眼，按 Enter 或点右下角的按钮派遣。" },
    handle: { title: "承办人签收、处置、提交", text: "切换为承办单位的经办人：签收任务，写明办理情况，上传一张照片，提交。" },
    check: { title: "核查结果", text: "办的人不能查自己。切换为核查人，对照处置前后的照片，通过。" },
    rate: { title: "群众评价", text: "打开群众的查询页，看进度，给五星。" },
    sampleAddress: "城区人民路 18 号灯杆", sampleText: "人民路路灯不亮，晚上很黑，请来修一下",
  },
};
