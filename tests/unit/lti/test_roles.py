import pytest

from lti import roles

M = "http://purl.imsglobal.org/vocab/lis/v2/membership"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person"


@pytest.mark.parametrize(
    ("given", "instructor", "learner"),
    [
        ([M + "#Learner"], False, True),
        ([M + "#Instructor"], True, False),
        (["Learner"], False, True),
        (["Instructor"], True, False),
        ([M + "#ContentDeveloper"], True, False),
        ([M + "#Administrator"], True, False),
        ([M + "/Instructor#TeachingAssistant"], True, False),
        ([M + "/Learner#GuestLearner"], False, True),
        ([M + "/Mentor#Mentor"], False, False),
        ([M + "#Mentor", M + "#Learner"], False, True),
        ([M + "#Instructor", M + "#Learner"], True, True),
        ([], False, False),
        (["https://lms.example/roles#Wizard"], False, False),
        ([INSTITUTION + "#Instructor"], False, False),
        ([INSTITUTION + "#Student"], False, False),
        ([SYSTEM + "#Administrator"], False, False),
        ([SYSTEM + "#SysAdmin", M + "#Learner"], False, True),
        (["instructor"], False, False),
        ([M + "#Instructor\n"], False, False),
        ([M + "#InstructorX"], False, False),
        (["x" + M + "#Instructor"], False, False),
        ([M + "/Learner#Instructor"], False, True),
        ([""], False, False),
    ],
)
def test_only_context_roles_decide(given, instructor, learner):
    assert roles.is_instructor(given) is instructor
    assert roles.is_learner(given) is learner


def test_a_test_user_is_known():
    assert roles.is_test_user([M + "#Learner", roles.TEST_USER])
    assert not roles.is_test_user([M + "#Learner"])
