"""Sentences of minutes that AMI ES2011a, a kick-off about a remote control, never talked about. Written for the
benchmark: of ordinary meetings about other subjects, and of meetings that design other products, which are harder."""

FAR = (
    "The API migration is finished and staging still runs on the old configuration.",
    "Legal will review the data processing agreement before the end of the quarter.",
    "Hiring for the second backend position is frozen until the budget is approved.",
    "The on-call rotation changes to two weeks, starting in March.",
    "Customer churn rose to four percent, mostly among small accounts.",
    "The nurse reported that the patient slept badly and refused the evening meal.",
    "The board approved the minutes of the previous meeting without amendments.",
    "The school trip to the museum is moved to Thursday because of the strike.",
    "Maria presented the results of the soil samples from the northern field.",
    "The landlord agreed to repair the heating before the winter.",
    "We decided to keep PostgreSQL and not to move to a managed database.",
    "The incident on Friday was caused by an expired certificate on the load balancer.",
    "Volunteers are needed for the food bank on both weekends in December.",
    "The auditors asked for the invoices of the last three fiscal years.",
    "Travel expenses must be submitted within thirty days.",
    "The orchestra will rehearse the second movement separately with the brass.",
    "Vaccination appointments can be booked online from next Monday.",
    "The speaker thanked the committee for its work on the housing bill.",
    "The committee heard petitions about pesticides and the protection of bees.",
    "Unit tests for the parser run in four seconds after the change.",
)

NEAR = (
    "The kettle should switch itself off when it is lifted from its base.",
    "The team agreed on a waterproof casing for the new bicycle lamp.",
    "Marketing showed that teenagers prefer headphones in bright colours.",
    "The designer proposed a touch screen for the coffee machine instead of a rotary knob.",
    "The retail price of the smart watch was set at one hundred and ninety dollars.",
    "The industrial designer will compare rechargeable batteries with solar cells.",
    "Speech recognition was rejected for the alarm clock because it costs too much.",
    "The prototype of the lunch box was made of clay and shown to the group.",
    "The group evaluated the toaster against seven criteria on a scale from one to seven.",
    "Users complained that the vacuum cleaner is too heavy to carry upstairs.",
    "The project manager asked everybody to fill in a questionnaire about teamwork.",
    "The packaging of the toothbrush will be recycled cardboard in two sizes.",
    "The finance team expects the game console to break even after two years.",
    "The camera's menu has too many levels for first-time users.",
    "The chair's armrest should be adjustable in height and width.",
)
