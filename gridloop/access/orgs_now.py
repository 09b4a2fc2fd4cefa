from gridloop.orgs.models import Region, Staff, Unit


def unit_ids_under(unit_id):
    u = Unit.objects.filter(pk=unit_id).first()
    if u is None:
        return []
    return [u.pk, *Unit.objects.filter(path__startswith=u.path + ".").values_list("pk", flat=True)]


def staff_ids_by_code(codes):
    return dict(Staff.objects.filter(code__in=codes).values_list("code", "pk"))


def unit_ids_by_code(codes):
    return dict(Unit.objects.filter(code__in=codes).values_list("code", "pk"))


def region_by_code(viewer, code):
    return Region.objects.filter(code=code).first()


def unit_name(viewer, unit_id):
    return Unit.objects.filter(pk=unit_id).values_list("name", flat=True).first()
