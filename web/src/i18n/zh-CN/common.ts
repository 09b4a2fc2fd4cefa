/** Words shared by desk and phone. English: ../en/common.ts, same keys (a test compares them). */
export default {
  absence: {
    title: "住户外出", none: "没有登记外出，户内长时间无动静会报警", now: "外出中", span: "{since} 至 {till}", back: "已回家", stay: "不外出了", sure: "结束后立即恢复看护，确定？", yes: "确定结束",
    add: "登记外出", since: "离开时间", till: "返回时间", save: "保存", hint: "外出期间户内没有动静不报警；返回时间到了仍无动静才报。", added: "已登记外出", ended: "已结束，恢复看护",
    denied: "登记住户外出不在您的权限之内", unknown: "没有这一户，或者不在您的辖区", fault: "暂时无法完成，请稍后再试", about: "住户说了要外出就登记在这里，免得误报",
    search: "姓名开头、完整手机号或身份证号", find: "查找", start: "先查找住在这一户的人；从无动静的事件里也能直接登记。", nobody: "辖区内没有找到", phone: "登记住户外出",
    wrong: { unread: "请填写离开和返回的时间", order: "返回时间须晚于离开时间", over: "返回时间已经过去，不必登记", long: "外出登记最长 366 天，也不能提前这么久" },
  },
  product: "网格闭环",
  sample: "演示数据",
  severity: { 1: "紧急", 2: "加急", 3: "重点", 4: "一般" },
  status: {
    reported: "待受理", verifying: "核实中", filed: "已立案", dispatched: "已派遣", accepted: "已签收", handling: "处置中",
    suspended: "已挂起", escalated: "已上报上级", submitted: "已反馈", checking: "核查中", reworked: "返工中", closed: "已办结",
    voided: "已作废", rejected: "不予受理",
  },
  step: { report: "上报", dispatch: "派遣", accept: "签收", handle: "处置", check: "核查", close: "办结" },
  stage: { verify: "核实", intake: "受理", accept: "签收", handle: "处置", support: "协办", check: "核查", review: "复核", wait: "等候中" },
  box: { todo: "待派", doing: "在办", done: "办结", all: "全部" },
  card: { yellow: "黄牌", red: "红牌" },
  source: {
    citizen: "群众上报", grid_worker: "网格员", hotline: "12345热线", deputy: "人大代表", patrol: "巡查", department: "部门上报", wechat: "微信",
    worker: "网格员", camera: "摄像头", sensor: "物联感知", device: "设备", import: "导入", replay: "导入", open311: "Open311", cap: "预警信息",
    alarm: "感知预警", vehicle_stopped: "违停抓拍", ebike_detected: "电动车抓拍", ebike_indoors: "电动车抓拍", object_dwell: "占道识别", crowd_count: "人群计数", crowd_density: "人群密度", bay_taken: "泊位感知", power: "用电功率",
    person_near_water: "临水识别", washing_at_source: "水源识别", unmatched_token: "感知预警", smoke: "烟感", door_open: "门磁", motion: "人体感应",
    water_total: "水表", gas_total: "燃气表", electricity_total: "电表", water_use: "水表", gas_use: "燃气表", electricity_use: "电表", temperature: "温度", thermal_spot: "热成像", water_level: "水位计", rain: "雨量计",
    device_status: "设备状态", position: "定位", facility_damaged: "设施损坏感知",
  },
  role: {
    citizen: "群众", worker: "网格员", grid_worker: "网格员", handler: "部门经办", officer: "执法队员", operator: "值守坐席", commander: "值班长",
    duty_commander: "值班长", supervisor: "督办考评", leader: "领导", deputy: "人大代表", mediator: "调解员", inspector: "检查人员",
    designer: "流程管理员", admin: "系统管理员", security_officer: "安全管理员", auditor: "安全审计员", integrator: "对接平台", device: "设备",
  },
  taskStatus: { open: "待签收", waiting: "待处理", accepted: "办理中", done: "已完成", cancelled: "已取消" },
  verb: {
    accept: "签收", return: "退回", transfer: "转办", delegate: "委派", submit: "提交", approve: "通过", reject: "不通过", suspend: "挂起",
    resume: "恢复", extend: "延期", escalate: "提级", check_in: "到场签到", verify_submit: "现场办结", verify_approve: "属实，派单", verify_reject: "误报",
  },
  fault: {
    offline: "连不上服务器，请检查网络后重试",
    unknown: "出错了（{status}），请稍后再试",
    forbidden: "没有权限做这件事",
    gone: "没有找到，可能已被合并或不在您的辖区",
    conflict: "这件事的状态已变，已为您刷新",
    busy: "服务器繁忙，请稍后再试",
  },
  act: { retry: "重试", cancel: "取消", close: "关闭", save: "保存", back: "返回", more: "加载更多", restored: "已恢复上次填写、还没有保存的内容。", anew: "重新填写", open: "打开", search: "搜索", confirm: "确定" },
};
